"""How a dataset is made from quotes: month by month, by one process or several, and never a month twice."""
