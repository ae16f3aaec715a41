"""Pipeline stages: one short module per stage, with its name; `python src/gogooku3 stages STAGE` runs it."""
