"""Health checks of `gogooku3 doctor`, one module per subject, and the tasks that this machine is fit for."""
