"""Names and plain words: what each model and each term means to a reader who has not seen the code."""

from datetime import date

MODELS = {
    "ebm": ("Energy model", "the model of this page: its base, tilted by a learned energy"),
    "base": ("Its own base", "the classical forecaster, with the same inputs, before the energy tilts it"),
    "scale-regression": (
        "Scale regression",
        "log volatility from EGARCH, GJR, realised measures and the daily range; skewed heavy tails",
    ),
    "historical-simulation": ("Historical simulation", "the last 1000 outcomes, each as likely as the other"),
    "gjr-filtered-simulation": (
        "GJR filtered simulation",
        "volatility from GJR, its own past errors as they came, no shape assumed",
    ),
    "garch-t": ("GARCH-t", "volatility clusters; symmetric heavy tails"),
    "gjr-skewt": ("GJR-skew-t", "falls raise volatility more than rises; skewed heavy tails"),
    "egarch-skewt": ("EGARCH-skew-t", "the same asymmetry in log volatility; skewed heavy tails"),
    "mdn": (
        "Mixture density network",
        "a free neural density: four normals, same inputs, seeds and stopping",
    ),
    "climatology": ("Climatology", "what the same month usually brings"),
    "persistence": ("Persistence", "today's anomaly stays"),
    "damped-persistence": (
        "Damped persistence",
        "today's anomaly fades at a rate that depends on the season",
    ),
    "seasonal-ridge": ("Seasonal ridge", "regularised regression on recent months, its own for each season"),
    "lim": (
        "Linear inverse model",
        "several series moved on together by one linear law, its own for each season",
    ),
    "xro": ("XRO", "a recharge oscillator coupled to the other indices, with the seasons"),
    "random-walk": ("Random walk", "independent normal moves, as large and as alike as those of the past"),
    "random-walk-bootstrap": (
        "Random-walk bootstrap",
        "past joint moves in random order, and their mirror image",
    ),
    "auto-theta": ("AutoTheta", "each series' own trend and level, by statsforecast"),
    "auto-ets": ("AutoETS", "each series' exponential smoothing, chosen by statsforecast"),
}

GLOSSARY = (
    ("Forecast distribution", "Not one number but a probability for every outcome: how likely is each "
                              "value tomorrow?"),
    ("Energy", "A score of how badly an outcome fits the present state. Low energy is ordinary, high "
               "energy is "
     "surprising. Exactly: minus the logarithm of the forecast density, in nats."),
    ("Energy model", "A good classical forecast multiplied by exp(−energy) and rescaled to total "
                     "probability one. The energy is "
     "a small neural network that starts at zero, so it leaves the classical forecast only where past data "
     "pay for it."),
    ("Base", "The classical forecast that the energy tilts. It has the same inputs, so a gain over it is "
             "due to the energy alone."),
    ("Log score", "The logarithm of the probability density that a model gave to what then happened, "
                  "averaged over dates. Higher is "
     "better. A difference of 0.01 nats means 1 % more probability on what came true, every time."),
    ("Nat", "The unit of log scores: one nat is a factor of 2.72 in probability density."),
    ("CRPS", "Continuous ranked probability score: the distance between the forecast distribution and what "
             "happened, in the unit "
     "of the data. Lower is better. For a single-number forecast it is the absolute error."),
    ("Standard error, t and p", "How sure a difference is, given that neighbouring dates are alike (HAC, "
                                "Newey–West). t is the difference "
     "in standard errors: beyond ±2 it is unlikely to be luck. p is the chance of so large a difference if "
     "there were none."),
    ("Lead", "How far ahead a forecast looks."),
    ("Coverage", "How often the truth fell inside the stated interval. A 90 % interval should hold it 90 % "
                 "of the time."),
    ("PIT", "Probability integral transform: the probability that the model gave to a value at or below "
            "what happened. If "
     "the model is calibrated, all values from 0 to 1 are equally common and the histogram is flat."),
    ("VaR hit", "A day whose outcome was worse than the value at risk, the loss that should be exceeded "
                "only on 1, 2.5 or 5 % of days. "
     "Kupiec's test asks whether there were too many or too few, Christoffersen's whether they came "
     "in clusters."),
    ("Rolling origin", "Each forecast uses only what was published before its date. Models are refitted as "
                       "time goes on; "
     "no forecast is scored on dates that helped to fit it."),
    ("Embargo", "A gap between the last row used for fitting and the first row scored, so that no label "
                "reaches across."),
    ("Normaliser", "The constant that makes the probabilities add up to one. It is computed by quadrature, "
                   "with a known error."),
)  # fmt: skip


def model_name(model: str) -> str:
    return MODELS.get(model, (model.replace("-", " ").capitalize(), ""))[0]


def in_sentence(model: str) -> str:
    """The name inside a sentence: small initial unless it is an acronym."""
    name = model_name(model)
    return name if name[:2].isupper() else name[0].lower() + name[1:]


def model_note(model: str) -> str:
    return MODELS.get(model, ("", ""))[1]


SERIES = {"sp500": "S&P 500", "nasdaq": "NASDAQ", "nino": "Niño 1+2 index"}


def series_name(series: str) -> str:
    return SERIES.get(series, series)


def periods(frequency: str, count: int) -> str:
    """``count`` steps of a domain's frequency in words: ``1 day``, ``6 months``."""
    unit = {"B": "trading day", "MS": "month"}.get(frequency, "step")
    return f"{count} {unit}{'' if count == 1 else 's'}"


def dated(time: str, frequency: str) -> str:
    """A date as its frequency asks: ``2019-01-02`` for days, ``January 2011`` for months."""
    day = date.fromisoformat(time[:10])
    return f"{day:%B %Y}" if frequency == "MS" else day.isoformat()


def text(value: float | None, digits: int = 2) -> str:
    """A number for people: a real minus sign, no minus zero, a dash for what could not be computed."""
    if value is None:
        return "–"
    shown = f"{value:,.{digits}f}"
    return shown.replace("-", "−") if float(shown.replace(",", "")) else shown.replace("-", "")


def signed(value: float, digits: int = 3) -> str:
    return ("+" if value > 0 else "") + text(value, digits)


def scientific(value: float) -> str:
    """1.2 × 10⁻⁷ for small numbers, plain otherwise."""
    if value == 0 or abs(value) >= 1e-3:
        return text(value, 4)
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
