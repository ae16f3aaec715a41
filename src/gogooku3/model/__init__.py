"""ATFT-GAT-FAN, block by block: what turns a panel into one score per stock, session and horizon."""
