// Charts from JSON that the page carries: <canvas data-chart="ID"> beside <script type="application/json" id="ID">.
//   {"type": "line" | "bar", "labels": [text], "unit": text, "stacked": bool,
//    "series": [{"label": text, "data": [number | null], "tone": "1".."6" | "bad" | "quiet"}]}
// null is unknown: nothing is drawn there, and lines do not bridge it.
"use strict";

const charts = new Map();

function tone(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function dataset(series, index, kind) {
  const color = tone(`--series-${series.tone ?? (index % 6) + 1}`);
  return {
    label: series.label, data: series.data, backgroundColor: color, borderColor: color, spanGaps: false,
    borderWidth: kind === "line" ? 2 : 0, pointRadius: kind === "line" ? 2 : 0, tension: 0, borderRadius: 3, maxBarThickness: 28,
  };
}

function axis(spec, more) {
  const color = tone("--text-quiet");
  // What has no unit is counted: no ticks between whole numbers.
  const ticks = { color, maxRotation: 0, autoSkipPadding: 12, ...(spec.unit ? {} : { precision: 0 }) };
  return { stacked: spec.stacked ?? false, border: { display: false }, ticks, ...more };
}

function withUnit(unit) {
  return function tick(...value) {
    return Chart.Ticks.formatters.numeric.apply(this, value) + unit;
  };
}

function options(spec) {
  const color = tone("--text-quiet");
  const unit = spec.unit ? ` ${spec.unit}` : "";
  const values = axis(spec, { beginAtZero: true, grid: { color: tone("--line") } });
  values.ticks.callback = withUnit(unit);
  return {
    responsive: true, locale: document.documentElement.lang, maintainAspectRatio: false, animation: false, interaction: { mode: "index", intersect: false },
    scales: {
      x: axis(spec, { grid: { display: false } }),
      y: values,
    },
    plugins: {
      legend: { display: spec.series.length > 1, position: "bottom", labels: { color, boxWidth: 12, boxHeight: 12 } },
      tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${item.formattedValue}${unit}` } },
    },
  };
}

function forget(canvas) {
  charts.get(canvas)?.destroy();
  charts.delete(canvas);
}

function draw(canvas) {
  forget(canvas);
  const spec = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
  const data = { labels: spec.labels, datasets: spec.series.map((series, index) => dataset(series, index, spec.type)) };
  charts.set(canvas, new Chart(canvas, { type: spec.type, data, options: options(spec) }));
}

function drawAll(root = document) {
  [...charts.keys()].filter((canvas) => !canvas.isConnected).forEach(forget);
  root.querySelectorAll("canvas[data-chart]").forEach(draw);
}

// A printed or shared picture of the page needs no motion; a changed theme needs new colours.
document.addEventListener("theme", () => drawAll());
document.addEventListener("htmx:afterSettle", (event) => drawAll(event.target));
new MutationObserver(() => drawAll()).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
drawAll();
