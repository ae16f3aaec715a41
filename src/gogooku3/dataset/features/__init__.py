"""Features by family, one file a family; a feature is one declaration in its family's `FEATURES`.

In the definitions, t is the session of the value; O, H, L, C are split-adjusted prices, V adjusted volume, TV traded
value in yen; r = log(C_t / C_t−1), g = log(O_t / C_t−1) overnight, d = log(C_t / O_t) intraday, m the log return of the
index; mean_n, std_n and so on run over the n sessions that end at t (`gogooku3.dataset.rolling`). x_t−k is x of
k sessions earlier. r needs bars in two consecutive sessions.
"""
