"""What the dataset's benchmark measures of a build: its processes, the floor below it, and where its time goes."""
