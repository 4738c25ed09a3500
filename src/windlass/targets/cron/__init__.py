"""cron and systemd: the pipelines of a project on one machine, started by what every machine has.

target.py     chooses the pipelines, says what cannot be expressed, and renders the files
fields.py     a schedule as the numbers of its five fields
crontab.py    a crontab with a line for each pipeline
systemd.py    a service and a timer for each pipeline
"""
