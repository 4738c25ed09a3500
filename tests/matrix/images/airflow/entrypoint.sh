#!/bin/bash
# What the official image does: a user of any number has a name, and a command is one of Airflow's unless it is bash or python.
set -eu
umask 0002
whoami >/dev/null 2>&1 || echo "default:x:$(id -u):0::/home/airflow:/bin/bash" >>/etc/passwd
case "${1:-}" in
bash | python) exec "$@" ;;
airflow) exec "$@" ;;
*) exec airflow "$@" ;;
esac
