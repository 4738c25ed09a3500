"""The stack that `windlass up` runs on this machine: dev services, Airflow with the project's pipelines, pgAdmin.

One process supervises it. It holds a lock on `.windlass/up/lock` as long as it lives; every component runs
under the launcher (`windlass.processes`), which takes the release of that lock as the order to stop it. So
nothing outlives the supervisor, however that ends, and a free lock means that all of it is gone.

`layout` says where everything is, `checks` what has to be there first, `keys` makes the secrets, `airflow` and
`pgadmin` say what to start, `broker` and `workers` add what Celery takes, `addresses` finds the connections, `watching` follows the project's files,
`supervisor` starts, follows and stops it all, and `control` does from outside what `down` and `status` ask for.
"""
