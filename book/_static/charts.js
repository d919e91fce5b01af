// The charts of the book: each <div class="live" data-chart="NAME"> is drawn from window.charts.NAME, with its controls
// above it. The address keeps what the reader has chosen. Without this script the still picture below it stays.
"use strict";

const NARROW = 560;
const MARGIN = 82; // of a view, for the labels and the title of its axis

function rowsOf({ rows, columns, levels, sparse }) {
  const known = Object.entries(columns);
  const rare = Object.entries(sparse);
  return Array.from({ length: rows }, (_, row) => {
    const filled = known.map(([name, values]) => [name, name in levels ? levels[name][values[row]] : values[row]]);
    return Object.fromEntries([...filled, ...rare.map(([name, values]) => [name, values[row] ?? null])]);
  });
}

// The theme's colours, for light and dark.
function colours() {
  const style = getComputedStyle(document.documentElement);
  const [ink, muted, border] = ["text-base", "text-muted", "border"].map((name) =>
    style.getPropertyValue(`--pst-color-${name}`).trim(),
  );
  return { ink, muted, border, dark: document.documentElement.dataset.theme === "dark" };
}

function configOf({ ink, muted, border }, width) {
  const words = { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12 };
  return {
    background: "transparent",
    font: getComputedStyle(document.body).fontFamily,
    axis: { ...words, domainColor: muted, tickColor: muted, gridColor: border },
    axisY: { minExtent: 36 }, // room for a minus sign, where a menu brings one
    legend: { ...words, labelLimit: 300, columns: Math.max(1, Math.floor(width / 190)) },
    header: words,
    title: { color: ink, subtitleColor: ink },
    view: { stroke: null },
  };
}

// Views side by side stand below each other on a phone, and each is as wide as there is room. Rows of views are fitted
// one by one, and a view that is a row of its own is as wide as the page.
function fitted(spec, width) {
  if (spec.vconcat)
    return {
      ...spec,
      vconcat: spec.vconcat.map((row) => (row.concat ? fitted(row, width) : { ...row, width: width - MARGIN })),
    };
  const views = spec.hconcat ?? spec.concat;
  if (!views) return spec;
  const columns = width < NARROW ? 1 : Math.min(views.length, spec.columns ?? views.length);
  const room = Math.floor((width - MARGIN * columns) / columns);
  const { hconcat, ...others } = spec;
  return { ...others, columns, concat: views.map((view) => ({ ...view, width: room })) };
}

const bound = (spec) => (spec.params ?? []).filter((parameter) => parameter.bind || parameter.name === "cell");

function chosenInAddress(name) {
  const chosen = new URLSearchParams(location.hash.slice(1));
  return chosen.get("chart") === name ? chosen : new URLSearchParams();
}

function keepInAddress(name, view, parameters) {
  const chosen = new URLSearchParams({ chart: name });
  for (const parameter of parameters) {
    const value = view.signal(parameter.name);
    if (value !== parameter.value) chosen.set(parameter.name, value);
  }
  history.replaceState(null, "", `#${chosen}`);
}

function itemsOf(view, marks) {
  const found = [];
  const walk = (node) => {
    if (node.marktype && node.name === `${marks}_marks`) found.push(...node.items);
    else (node.items ?? []).forEach(walk);
  };
  walk(view.scenegraph().root);
  return found;
}

const entry = (name, text, of) => of.append(Object.assign(document.createElement(name), { textContent: text }));

function listOf(names, row) {
  const list = document.createElement("dl");
  for (const [title, column] of Object.entries(names)) {
    entry("dt", title, list);
    entry("dd", row[column], list);
  }
  return list;
}

const digits = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(4))) : "–");

// The metrics of the chosen cell and of the other seeds of its configuration, with their mean and standard deviation.
function seedsOf(row, rows, view, meta) {
  const metrics = [...new Set(meta.metrics.map((parameter) => view.signal(parameter)))];
  const alike = rows.filter((other) => meta.alike.every((column) => other[column] === row[column]));
  const table = Object.assign(document.createElement("table"), { className: "table" });
  const line = (first, values, of) => {
    const cells = of.insertRow();
    entry("th", first, cells);
    cells.lastChild.scope = "row";
    values.forEach((value) => entry("td", value, cells));
  };
  const head = table.createTHead().insertRow();
  for (const title of ["Seed", ...metrics.map((metric) => view.signal("titles")[metric])]) {
    entry("th", title, head);
    head.lastChild.scope = "col";
  }
  const body = table.createTBody();
  for (const other of alike) line(other.seed, metrics.map((metric) => digits(other[metric])), body);
  const spread = (metric) => {
    const values = alike.map((other) => other[metric]).filter(Number.isFinite);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
    return values.length > 1 ? `${digits(mean)} ± ${digits(Math.sqrt(square))}` : digits(mean);
  };
  line("mean ± standard deviation", metrics.map(spread), body);
  return table;
}

const commandOf = ({ command: [program, flags, seed, number] }, row) => program + row[flags] + seed + row[number];

function showDetails(box, view, meta) {
  const rows = view.data(meta.table);
  const row = rows.find(({ cell }) => cell === view.signal("cell"));
  box.replaceChildren();
  if (!row) {
    box.textContent = `${itemsOf(view, meta.marks).length} cells. ${meta.hint}`;
    return;
  }
  const command = Object.assign(document.createElement("code"), { textContent: commandOf(meta, row) });
  box.append(listOf(meta.details, row), command, seedsOf(row, rows, view, meta), listOf(meta.provenance, row));
}

// Arrow keys go from dot to dot, from left to right; among those that are marked, if any are.
function step(view, meta, forward) {
  const [parameter, column] = meta.among;
  const marked = view.signal(parameter);
  const items = itemsOf(view, meta.marks).filter(({ datum }) => !marked || datum[column] === marked);
  items.sort((first, second) => first.x - second.x || first.y - second.y);
  if (items.length === 0) return;
  const at = items.findIndex(({ datum }) => datum.cell === view.signal("cell"));
  const next = at < 0 ? 0 : (at + (forward ? 1 : -1) + items.length) % items.length;
  view.signal("cell", items[next].datum.cell).runAsync();
}

function attend(place, view, spec, meta, box) {
  const name = place.dataset.chart;
  const parameters = bound(spec);
  const drawing = place.querySelector(".drawing");
  for (const parameter of parameters)
    view.addSignalListener(parameter.name, () => keepInAddress(name, view, parameters));
  if (!meta.details) return;
  view.addEventListener("click", (event, item) => {
    if (!item?.datum?.cell) return;
    for (const [parameter, column] of Object.entries(meta.click)) {
      const again = parameter !== "cell" && view.signal("cell") === item.datum.cell; // a second click takes it back
      view.signal(parameter, again && view.signal(parameter) === item.datum[column] ? "" : item.datum[column]);
    }
    view.runAsync();
  });
  const refresh = () => view.runAfter(() => showDetails(box, view, meta));
  for (const parameter of parameters) view.addSignalListener(parameter.name, refresh);
  showDetails(box, view, meta);
  drawing.onkeydown = (event) => {
    if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    event.preventDefault();
    step(view, meta, event.key === "ArrowRight");
  };
}

function build(place) {
  const controls = Object.assign(document.createElement("form"), { className: "controls" });
  controls.onsubmit = () => false;
  const drawing = Object.assign(document.createElement("div"), { className: "drawing" });
  const box = Object.assign(document.createElement("div"), { className: "details" });
  box.setAttribute("role", "status");
  place.replaceChildren(controls, drawing, box);
  return { controls, drawing, box };
}

async function draw(place, values) {
  const name = place.dataset.chart;
  const { spec, tables, meta } = window.charts[name];
  const { controls, drawing, box } = build(place);
  place.hidden = false;
  const theme = colours();
  const datasets = Object.fromEntries(Object.entries(tables).map(([key, table]) => [key, rowsOf(table)]));
  const given = { ...values, ink: theme.ink, muted: theme.muted };
  const params = (spec.params ?? []).map((parameter) =>
    parameter.name in given ? { ...parameter, value: given[parameter.name] } : parameter,
  );
  const shown = { ...fitted(spec, place.clientWidth), params, datasets: { ...spec.datasets, ...datasets } };
  const options = { renderer: "svg", actions: false, defaultStyle: false, bind: controls, config: configOf(theme, place.clientWidth) };
  const { view } = await vegaEmbed(drawing, shown, { ...options, tooltip: { theme: theme.dark ? "dark" : "light" } });
  if (meta.details) {
    drawing.tabIndex = 0;
    drawing.setAttribute("role", "group");
    drawing.setAttribute("aria-label", meta.keys);
  }
  attend(place, view, spec, meta, box);
  place.closest("figure").classList.add("drawn");
  place.view = view;
}

// Values from the address are words; sliders want numbers.
function fromAddress(name, spec) {
  const chosen = chosenInAddress(name);
  const named = bound(spec).filter((parameter) => chosen.has(parameter.name));
  return Object.fromEntries(
    named.map(({ name: key, value }) => [key, typeof value === "number" ? Number(chosen.get(key)) : chosen.get(key)]),
  );
}

async function start(place) {
  const { name, spec } = { name: place.dataset.chart, spec: window.charts[place.dataset.chart].spec };
  const current = () => Object.fromEntries(bound(spec).map((parameter) => [parameter.name, place.view.signal(parameter.name)]));
  await draw(place, fromAddress(name, spec));
  const again = async (values) => {
    place.view.finalize();
    await draw(place, values);
  };
  new MutationObserver(() => again(current())).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  let narrow = place.clientWidth < NARROW;
  window.addEventListener("resize", () => {
    if (narrow !== place.clientWidth < NARROW) {
      narrow = !narrow;
      again(current());
    }
  });
  window.addEventListener("hashchange", () => {
    if (chosenInAddress(name).size) again(fromAddress(name, spec));
  });
  if (chosenInAddress(name).size) place.closest("figure").scrollIntoView();
}

document.querySelectorAll(".live[data-chart]").forEach((place) => start(place));
