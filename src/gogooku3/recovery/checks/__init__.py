"""What `verify` checks, one module per subject: each function looks at one thing and returns what it found."""
