"""What is in the data of the examples. Found by reading them; nothing of windlass has counted it."""

from __future__ import annotations

# --- drugs ---

DRUGS_ROWS = {"drugs": 11, "clinical_trials": 15, "pubmed_csv": 17, "pubmed_json": 7}
DRUGS_NODES = {"drug": 10, "publication": 22, "trial": 13, "journal": 12}

UNKNOWN = "publication:unknown-bcde2a8f"  # two drugs on the knotted trapezius
WILLOW = "publication:unknown-0ac1829c"
IN_ARTICLES = {
    ("drug:N02BA", "publication:10", "2020-04-09"),
    ("drug:N02BA", "publication:11", "2020-04-30"),
    ("drug:N02BA", WILLOW, None),
    ("drug:H02AB", "publication:1", "2019-01-01"),
    ("drug:H02AB", "publication:3", "2019-01-02"),
    ("drug:H02AB", "trial:NCT99000102", "2020-01-01"),
    ("drug:N05BA", "publication:6", "2020-01-01"),
    ("drug:N05BA", "trial:NCT99000105", "2021-05-25"),
    ("drug:N05BA", "trial:NCT99000109", "2021-05-25"),
    ("drug:A10BA", "publication:2", "2019-01-01"),
    ("drug:A10BA", "publication:18", "2020-01-01"),
    ("drug:A10BA", "trial:NCT99000101", "2020-01-01"),
    ("drug:A10BA", "trial:NCT99000111", "2021-09-03"),
    ("drug:J01CA", "publication:4", "2020-01-01"),
    ("drug:J01CA", "publication:5", "2020-01-02"),
    ("drug:J01CA", "trial:NCT99000106", "2020-04-27"),
    ("drug:C03CA", "publication:15", None),
    ("drug:C03CA", "publication:19", "2020-01-01"),
    ("drug:C03CA", UNKNOWN, "2020-03-01"),
    ("drug:C03CA", "trial:NCT99000104", "2020-01-15"),
    ("drug:C03CA", "trial:NCT99000110", "2021-06-30"),
    ("drug:R03AC", "publication:7", "2020-02-01"),
    ("drug:R03AC", "publication:8", "2020-03-01"),
    ("drug:R03AC", "trial:NCT99000102", "2020-01-01"),
    ("drug:R03AC", "trial:NCT99000110", "2021-06-30"),
    ("drug:R01AA", "publication:6", "2020-01-01"),
    ("drug:R01AA", "publication:16", "2020-07"),
    ("drug:R01AA", "trial:NCT99000111~2", "2021-09-03"),
    ("drug:N02BE", "publication:11", "2020-04-30"),
    ("drug:N02BE", "publication:13", "2020-05-04"),
    ("drug:N02BE", "trial:NCT99000107", "2021-03"),
    ("drug:5501207", "publication:14", "2020-06-17"),
    ("drug:5501207", "publication:17", "2020-01-01"),
    ("drug:5501207", UNKNOWN, "2020-03-01"),
    ("drug:5501207", "trial:NCT99000108", None),
}
HARBOUR, ANNALS = "Harbour journal of medicine", "Annals of small towns"
IN_JOURNALS = {
    ("drug:N02BA", f"journal:{ANNALS}", "2020-04-09"),
    ("drug:N02BA", f"journal:{ANNALS}", "2020-04-30"),
    ("drug:N02BA", "journal:Journal of drinking water", None),
    ("drug:H02AB", f"journal:{HARBOUR}", "2019-01-01"),
    ("drug:H02AB", f"journal:{HARBOUR}", "2020-01-01"),
    ("drug:H02AB", "journal:The paediatric quarterly", "2019-01-02"),
    ("drug:N05BA", "journal:Sleep & waking", "2020-01-01"),
    ("drug:N05BA", f"journal:{HARBOUR}", "2021-05-25"),
    ("drug:A10BA", f"journal:{HARBOUR}", "2019-01-01"),
    ("drug:A10BA", f"journal:{HARBOUR}", "2020-01-01"),
    ("drug:A10BA", "journal:The journal of newborn & mother care", "2020-01-01"),
    ("drug:A10BA", f"journal:{ANNALS}", "2021-09-03"),
    ("drug:J01CA", "journal:Journal of drinking water", "2020-01-01"),
    ("drug:J01CA", "journal:Letters on eyes", "2020-01-02"),
    ("drug:J01CA", f"journal:{HARBOUR}", "2020-04-27"),
    ("drug:C03CA", "journal:Journal of airways. In practice", None),
    ("drug:C03CA", "journal:Journal of backs and shoulders", "2020-01-01"),
    ("drug:C03CA", "journal:The journal of newborn & mother care", "2020-03-01"),
    ("drug:C03CA", "journal:Hôpital de la Grève", "2020-01-15"),
    ("drug:C03CA", "journal:Revue de Genève", "2021-06-30"),
    ("drug:R03AC", "journal:Journal of airways. In practice", "2020-02-01"),
    ("drug:R03AC", "journal:Journal of airways. In practice", "2020-03-01"),
    ("drug:R03AC", f"journal:{HARBOUR}", "2020-01-01"),
    ("drug:R03AC", "journal:Revue de Genève", "2021-06-30"),
    ("drug:R01AA", "journal:Sleep & waking", "2020-01-01"),
    ("drug:R01AA", "journal:Sleep & waking", "2020-07"),
    ("drug:R01AA", f"journal:{ANNALS}", "2021-09-03"),
    ("drug:N02BE", f"journal:{ANNALS}", "2020-04-30"),
    ("drug:N02BE", "journal:The paediatric quarterly", "2020-05-04"),
    ("drug:N02BE", f"journal:{ANNALS}", "2021-03"),
    ("drug:5501207", "journal:Journal of looms and textiles. C, Chemistry", "2020-01-01"),
    ("drug:5501207", "journal:The journal of newborn & mother care", "2020-03-01"),
    ("drug:5501207", f"journal:{ANNALS}", None),
}
TOP_JOURNALS = {  # a tie
    ANNALS: ["ACETYLSALICYLIC ACID", "EPHEDRINE", "METFORMIN", "PARACETAMOL", "QUINIDINE"],
    HARBOUR: ["AMPICILLIN", "DIAZEPAM", "METFORMIN", "PREDNISOLONE", "SALBUTAMOL"],
}

# --- taxi ---

TRIPS = 24_999  # and a row that is cut off
CUT_OFF = "1,2021-0"
ZONES = 255
TRIPS_OF_A_MONTH = 400

# --- pg2pg ---

SALES = 250_000
