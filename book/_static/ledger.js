// The ledger: a form above the table that keeps the lines which have all words of a text and the chosen values. Without
// this script the table shows all lines.
"use strict";

const CHOICES = {
  // data-… of a line: what the form calls it, and how its values are separated
  table: ["Table", " "],
  row: ["Row", "|"],
  status: ["Status", " "],
  grade: ["Grade", " "],
  effect: ["Effect", "|"],
};
const WORDS = { 1: "Table 1", 2: "Table 2" };

function valuesOf(line, name) {
  return line.dataset[name].split(CHOICES[name][1]);
}

function labelled(text, control) {
  const label = document.createElement("label");
  label.append(text, control);
  return label;
}

function choice(name, lines) {
  const select = document.createElement("select");
  select.name = name;
  const values = [...new Set(lines.flatMap((line) => valuesOf(line, name)))];
  values.sort((first, second) => (first === "none") - (second === "none") || first.localeCompare(second));
  select.append(new Option("any", ""), ...values.map((value) => new Option(WORDS[value] ?? value, value)));
  return select;
}

function makeFilter(ledger) {
  const lines = [...ledger.querySelectorAll("tbody tr")];
  const texts = new Map(lines.map((line) => [line, line.textContent.toLowerCase()]));
  const form = document.createElement("form");
  const search = document.createElement("input");
  search.type = "search";
  search.name = "text";
  const selects = Object.keys(CHOICES).map((name) => choice(name, lines));
  const clear = document.createElement("button");
  clear.type = "reset";
  clear.textContent = "Clear";
  const count = document.createElement("output");
  form.append(labelled("Text", search), ...selects.map((one) => labelled(CHOICES[one.name][0], one)), clear, count);

  function fits(line) {
    const words = search.value.toLowerCase().split(/\s+/);
    const chosen = selects.every(({ name, value }) => {
      const own = valuesOf(line, name);
      // an item that touches all rows touches the chosen one
      return value === "" || own.includes(value) || (name === "row" && value !== "none" && own.includes("all"));
    });
    return chosen && words.every((word) => texts.get(line).includes(word));
  }

  function show() {
    for (const line of lines) line.hidden = !fits(line);
    const shown = lines.filter((line) => !line.hidden).length;
    count.textContent = `${shown} of ${lines.length} items`;
  }

  // A link to an item shows it whatever is chosen, and opens it.
  function openTarget() {
    const line = lines.find((one) => `#${one.id}` === location.hash);
    if (!line) return;
    if (line.hidden) form.reset();
    line.querySelector("details").open = true;
    line.scrollIntoView({ block: "start" });
  }

  form.addEventListener("input", show);
  form.addEventListener("reset", () => setTimeout(show));
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", openTarget);
  ledger.prepend(form);
  show();
  openTarget();
}

document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("div.ledger").forEach(makeFilter));
