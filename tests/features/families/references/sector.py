from __future__ import annotations

from ..plain import beta, corr, less_sector, sector_mean, std

STOCK = {
    "sector_ret_1_lag_{k}": lambda s, k: s.S[-1 - k],
    "sector_beta_{n}": lambda s, n: beta(s.S[-n:], s.r[-n:]),
    "sector_corr_{n}": lambda s, n: corr(s.S[-n:], s.r[-n:]),
    "sector_corr_delayed_{n}": lambda s, n: corr(s.S[-n - 1 : -1], s.r[-n:]),
    "sector_vol_{n}": lambda s, n: std(s.S[-n:]),
}

ACROSS = {
    "ret_{n}_less_sector": (less_sector, "ret_{n}"),
    "sector_ret_{n}": (sector_mean, "ret_{n}"),
    "mom_{n}_skip_{k}_less_sector": (less_sector, "mom_{n}_skip_{k}"),
    "sector_mom_{n}_skip_{k}": (sector_mean, "mom_{n}_skip_{k}"),
    "overnight_less_sector_{n}": (less_sector, "ret_overnight_{n}"),
    "intraday_less_sector_{n}": (less_sector, "ret_intraday_{n}"),
    "sector_overnight_{n}": (sector_mean, "ret_overnight_{n}"),
    "sector_up_share_{n}": (sector_mean, "up_share_{n}"),
    "vol_{n}_less_sector": (less_sector, "vol_close_{n}"),
    "volume_{n}_less_sector": (less_sector, "volume_deviation_{n}_lag_0"),
    "volume_ratio_{a}_{b}_less_sector": (less_sector, "volume_ratio_{a}_{b}"),
    "sector_volume_{n}": (sector_mean, "volume_deviation_{n}_lag_0"),
    "turnover_{n}_less_sector": (less_sector, "log_turnover_{n}"),
    "beta_{n}_less_sector": (less_sector, "beta_{n}"),
    "high_distance_{n}_less_sector": (less_sector, "high_distance_{n}"),
    "sector_high_distance_{n}": (sector_mean, "high_distance_{n}"),
    "range_less_sector_{n}": (less_sector, "range_{n}"),
}
"""What is done across the stocks of a session, and with which quantity of theirs."""
