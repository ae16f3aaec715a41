from __future__ import annotations

from ..plain import decayed_mean, log, mean, ratio

STOCK = {
    "ret_{n}": lambda s, n: log(ratio(s.C[-1], s.C[-1 - n])),
    "ret_overnight_{n}": lambda s, n: mean(s.g[-n:]),
    "ret_intraday_{n}": lambda s, n: mean(s.d[-n:]),
    "ret_overnight_less_intraday_{n}": lambda s, n: mean([g - d for g, d in zip(s.g[-n:], s.d[-n:], strict=True)]),
    "ret_1_lag_{k}": lambda s, k: log(ratio(s.C[-1 - k], s.C[-2 - k])),
    "ret_overnight_1_lag_{k}": lambda s, k: log(ratio(s.O[-1 - k], s.C[-2 - k])),
    "ret_intraday_1_lag_{k}": lambda s, k: log(ratio(s.C[-1 - k], s.O[-1 - k])),
    "ret_decayed_{n}": lambda s, n: decayed_mean(s.r[-n:]),
}
