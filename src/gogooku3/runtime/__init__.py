"""What every stage stands on: how files are written, and the settings that decide the bits."""
