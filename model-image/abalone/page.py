"""The model card as a page: one HTML file that needs no other file, no script and no network."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from abalone.card import METRIC_WORDS, group_word, limits, rows_in_words
from abalone.feature_contract import Contract
from abalone.origins import ORIGINS
from abalone.plots import Axis, Bar, axis, scatter, shares
from abalone.predictor import Predictions
from abalone.rows import DataSet

STYLE = """
:root { color-scheme: light dark; --ink: #1c2733; --soft: #5b6b7a; --line: #d6dee5; --paper: #fff;
  --mark: #0b6e8a; --warn: #b3541e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4ebf1; --soft: #9fb0be; --line: #37444f; --paper: #12191f; --mark: #5cc3dd; --warn: #f0a06a; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 0.75rem; font-size: 1.2rem; }
h3 { margin: 1.5rem 0 0.5rem; font-size: 1rem; }
p, li { max-width: 48rem; }
.lead { margin: 0.5rem 0 0; color: var(--soft); overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.35rem 1.25rem 0.35rem 0; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top; }
td { white-space: nowrap; }
th:first-child, .words td { text-align: left; }
.words td { white-space: normal; }
thead th { vertical-align: bottom; color: var(--soft); font-weight: 500; }
tbody th { font-weight: 400; min-width: 9rem; }
.plots { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); }
figure { margin: 0 0 0.75rem; max-width: 32rem; }
figcaption { color: var(--soft); font-size: 0.9rem; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 12px; }
svg .small { font-size: 11px; }
svg path { fill: none; }
.grid { stroke: var(--line); stroke-width: 1; }
.dots { stroke: var(--mark); stroke-width: 4; stroke-linecap: round; stroke-opacity: 0.45; }
.reference { stroke: var(--warn); stroke-width: 1.5; stroke-dasharray: 5 4; }
.whisker { stroke: var(--mark); stroke-width: 2; }
.share { fill: var(--mark); }
@media (max-width: 40rem) {
  thead { display: none; }
  table, tbody, tr, th, td { display: block; }
  table { width: 100%; }
  tr { padding: 0.5rem 0; border-bottom: 1px solid var(--line); }
  th, td { padding: 0.1rem 0; border: 0; text-align: left; overflow-wrap: anywhere; }
  tbody th { font-weight: 600; }
  td { display: flex; justify-content: space-between; gap: 1rem; white-space: normal; text-align: right; }
  td::before { content: attr(data-column); color: var(--soft); text-align: left; }
  .words td { text-align: right; }
}
@media print { body { max-width: none; } h2, figure, table { break-inside: avoid; } }
"""


def _cells(tag: str, cells: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "numbers") -> str:
    # On a phone, the cells of a row are below one another, each with its column's name.
    body = "".join(
        f'<tr role="row"><th scope="row" role="rowheader">{escape(row[0])}</th>'
        + "".join(
            f'<td role="cell" data-column="{escape(column)}">{escape(cell)}</td>'
            for column, cell in zip(header[1:], row[1:], strict=True)
        )
        + "</tr>"
        for row in rows
    )
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    head = f"<thead><tr>{columns}</tr></thead>"
    return f'<div class="scroll"><table class="{kind}" role="table">{head}<tbody>{body}</tbody></table></div>'


def _paragraph(text: str, name: str = "") -> str:
    return f"<p{f' class={chr(34)}{name}{chr(34)}' if name else ''}>{escape(text)}</p>"


def _list(items: Iterable[str]) -> str:
    return f"<ul>{_cells('li', items)}</ul>"


def _figure(plot: str, caption: str) -> str:
    return f"<figure>{plot}<figcaption>{escape(caption)}</figcaption></figure>"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _ends(covered: Mapping[str, float]) -> str:
    return f"{_percent(covered['coverage_low'])} to {_percent(covered['coverage_high'])}"


def _interval(metric: Mapping[str, float], digits: int) -> str:
    return f"{metric['low']:.{digits}f} to {metric['high']:.{digits}f}"


def _metrics(evaluation: Mapping[str, Any]) -> str:
    champion = evaluation["champion"]
    scored = champion is not None and "error" not in champion
    rows = []
    for name, metric in evaluation["regression_metrics"].items():
        row = [METRIC_WORDS[name][0], f"{metric['value']:.3f}", _interval(metric, 3)]
        if scored:
            difference = champion["differences"][name]
            low, high = difference["quantiles"]["0.05"], difference["quantiles"]["0.95"]
            row += [
                f"{champion['regression_metrics'][name]['value']:.3f}",
                f"{difference['value']:+.4f}",
                f"{low:+.4f} to {high:+.4f}",
            ]
        rows.append(row)
    comparison = ["champion", "difference", "its 90 % interval"] if scored else []
    table = _table(["on held-out rows", "this model", "its 90 % interval", *comparison], rows)
    if champion is None:
        return table + _paragraph("There was no champion to compare it with.")
    package = champion["model_package"]
    if not scored:
        return table + _paragraph(f"The champion {package} could not be scored: {champion['error']}")
    return table + _paragraph(
        f"The champion is {package}. Both models were scored on the same rows and on the same resamples of them; the "
        "difference is this model minus the champion. For errors this model is better below zero, for R² above."
    )


def _groups(evaluation: Mapping[str, Any]) -> str:
    parts = []
    for kind, groups in evaluation["groups"].items():
        word = group_word(kind)
        bars = [Bar(g["name"], g["coverage"], g["coverage_low"], g["coverage_high"]) for g in groups]
        description = "; ".join(f"{bar.name}: {_percent(bar.share)}" for bar in bars)
        plot = shares(f"Coverage by {word}", description, bars, evaluation["interval"]["confidence"])
        rows = [
            [
                group["name"],
                str(group["rows"]),
                f"{_percent(group['coverage'])} ({_ends(group)})",
                f"{group['mean_width']:.1f}",
                f"{group['rmse']:.2f}",
                f"{group['mean_error']:+.2f}",
            ]
            for group in groups
        ]
        header = [f"by {word}", "rows", "inside the interval (90 % sure)", "mean width", "RMSE", "mean error"]
        caption = "Dot: share inside the interval; line: its range in nine of ten samples; dashes: what is promised."
        parts.append(f"<h3>By {escape(word)}</h3>{_figure(plot, caption)}{_table(header, rows)}")
    return "".join(parts)


def _plots(rows: DataSet, predictions: Predictions) -> str:
    estimates, labels = predictions.rings.astype(np.float64), rows.labels
    both = axis("", np.concatenate([estimates, labels]), room=0.5)
    truth, estimate = Axis("counted rings", both.lowest, both.highest), Axis("estimate", both.lowest, both.highest)
    errors = estimates - labels
    error = axis("estimate minus counted rings", errors, room=0.5)
    predicted = axis("estimate", estimates, room=0.5)
    # Rings are whole numbers, so without this the animals of one age would hide one another.
    spread = labels + (np.arange(len(labels)) % 9 - 4) * 0.07
    return (
        '<div class="plots">'
        + _figure(
            scatter(
                "Estimate against counted rings",
                f"{len(labels)} animals about the line on which both are equal",
                truth,
                estimate,
                (spread, estimates),
                [(both.lowest, both.lowest), (both.highest, both.highest)],
            ),
            "Estimate against counted rings, a dot an animal. On the dashes both are equal.",
        )
        + _figure(
            scatter(
                "Residuals against the estimate",
                f"Errors of {len(labels)} animals about zero",
                predicted,
                error,
                (estimates, errors),
                [(predicted.lowest, 0), (predicted.highest, 0)],
            ),
            "Residuals (estimate minus counted rings) against the estimate, a dot an animal.",
        )
        + "</div>"
    )


def page(
    contract: Contract,
    card: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    summary: Mapping[str, Any] | None,
    rows: DataSet,
    predictions: Predictions,
) -> str:
    """The page. Text from outside (names, reasons) is never read as markup."""
    interval, origins = evaluation["interval"], (summary or {}).get("origins", {})
    uses = card["intended_uses"]
    parts = [
        f"<h1>Model card: {escape(evaluation['model'])}</h1>",
        _paragraph(uses["purpose_of_model"], "lead"),
        "<h2>How good it is</h2>",
        _metrics(evaluation),
        _paragraph(
            f"{_percent(interval['coverage'])} of the rings lie inside their interval (90 % sure: {_ends(interval)}; "
            f"{100 * interval['confidence']:g} % are meant to). Its mean width is {interval['mean_width']:.1f} rings."
        ),
        _plots(rows, predictions),
        "<h2>For whom it is better and worse</h2>",
        _groups(evaluation),
        "<h2>Limits</h2>",
        _list(limits(contract, evaluation, origins)),
        "<h2>What it learnt from</h2>",
        _paragraph(rows_in_words(evaluation, summary)),
    ]
    if origins:
        described = [(ORIGINS[name], count) for name, count in origins.items()]
        parts.append(
            _table(
                ["data", "rows", "licence"], [[o.description, str(count), o.licence] for o, count in described], "words"
            )
        )
    settings = card["training_details"]["training_job_details"]["hyper_parameters"]
    parts += [
        "<h2>What it is for</h2>",
        _paragraph(uses["intended_uses"]),
        _paragraph(uses["factors_affecting_model_efficiency"]),
        _paragraph(f"Risk: {uses['risk_rating'].lower()}. {uses['explanations_for_risk_rating']}"),
        _paragraph(card["additional_information"]["ethical_considerations"]),
        "<h2>How it was trained</h2>",
        _paragraph(card["training_details"]["objective_function"]["notes"] + f". Training job: {evaluation['model']}."),
        _table(["setting", "value"], [[setting["name"], setting["value"]] for setting in settings]),
        _paragraph("The gate's decision is on the card of the registered package, and in the run's execution."),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Only the inline style may be loaded, whatever a name or a reason contains.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Model card: {escape(evaluation['model'])}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )
