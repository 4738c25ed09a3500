"""CI: one workflow that checks every change, builds the images that changed, and hands on what schedulers need.

target.py       what is to be done, and for whom it is written
work.py         the commands, the same for everybody
github.py       GitHub Actions
gitlab.py       GitLab CI
cloudbuild.py   Google Cloud Build
"""
