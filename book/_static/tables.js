// Tables of class "sortable": each header cell with a `data-column` becomes a button that sorts the lines by that column,
// up, down, and back to the order of the page. Without a script they are plain tables.
"use strict";

// The number that a cell starts with, or else its text; null for a cell that holds no value.
function sortKey(row, column) {
  const cell = row.cells[column];
  const text = cell.textContent.trim().replace(/^−/, "-");
  if (cell.tagName === "TH") return text;
  const number = Number.parseFloat(text);
  if (!Number.isNaN(number)) return number;
  return ["", "–", "not run", "failed", "undefined"].includes(text) ? null : text;
}

function compare(first, second) {
  if (typeof first === "number" && typeof second === "number") return first - second;
  return String(first).localeCompare(String(second));
}

// Lines without a value stay below, in either direction.
function sorted(rows, column, direction) {
  const keyed = rows.map((row) => [sortKey(row, column), row]);
  const filled = keyed.filter(([key]) => key !== null);
  filled.sort(([first], [second]) => direction * compare(first, second));
  return [...filled, ...keyed.filter(([key]) => key === null)].map(([, row]) => row);
}

function makeSortable(table) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const headers = [...table.tHead.querySelectorAll("th[data-column]")];
  const next = { none: "ascending", ascending: "descending", descending: "none" };
  for (const header of headers) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    header.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const order = next[header.getAttribute("aria-sort")];
      for (const other of headers) other.setAttribute("aria-sort", "none");
      header.setAttribute("aria-sort", order);
      const column = Number(header.dataset.column);
      body.append(...(order === "none" ? original : sorted(original, column, order === "ascending" ? 1 : -1)));
    });
  }
}

// A value links to its command, which lies in a closed list: not every browser opens it by itself.
function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  const list = target && target.closest(".results details");
  if (list && !list.open) {
    list.open = true;
    target.scrollIntoView({ block: "center" });
  }
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("table.sortable").forEach(makeSortable);
  openTarget();
});
window.addEventListener("hashchange", openTarget);
