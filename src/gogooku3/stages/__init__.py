"""One short script per stage of the pipeline, named as the stage; `python src/gogooku3 stages STAGE` runs it."""
