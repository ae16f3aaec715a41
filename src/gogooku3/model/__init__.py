"""The ATFT-GAT-FAN network (one score per stock, session and horizon), its data loader, inference and weight files."""
