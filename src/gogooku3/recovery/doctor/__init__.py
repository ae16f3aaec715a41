"""What `doctor` looks at, one module per subject: is this machine, and is this clone, fit for work?"""
