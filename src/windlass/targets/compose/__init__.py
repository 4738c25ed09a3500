"""docker compose: a whole Airflow with the project in it, on one machine.

target.py      renders the files, and says which secrets they refer to
services.py    the parts of Airflow, its database and its broker
beside.py      what stands beside Airflow: databases for the project's connections, pgAdmin
document.py    services as the text of compose.yaml
"""
