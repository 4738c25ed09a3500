"""What is copied beside Airflow's other DAG files as it is. Nothing of windlass imports it."""
