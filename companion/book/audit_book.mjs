// Opens the pages of a built book in a headless browser and prints what it measured there as JSON, one line a view of a page.
//
//     node audit_book.mjs chromium file:///…/html/ < pages.json
//
// pages.json: {"pages": ["book/index.html", …], "views": [{"width": 1300, "height": 850, "scheme": "light"}, …]}.
// What is a fault is decided in audit_book.py.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [executablePath, book] = process.argv.slice(2);
const { pages, views } = JSON.parse(readFileSync(0, "utf8"));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// Runs in the page: sizes and words.
function measure() {
  const article = document.querySelector("article");
  const round = Math.round;
  const name = (element) => {
    const text = element.textContent.trim().replace(/\s+/g, " ").slice(0, 60);
    const classes = [...element.classList].slice(0, 3).map((each) => `.${each}`);
    return `${element.tagName.toLowerCase()}${element.id && `#${element.id}`}${classes.join("")} "${text}"`;
  };
  // The first box around an element, itself included, that cuts off what is wider than it.
  const clipping = (element) => {
    for (let box = element; box && box !== article.parentElement; box = box.parentElement) {
      const cuts = getComputedStyle(box).overflowX !== "visible";
      if (cuts && box.scrollWidth > box.clientWidth + 1) return { found: box.scrollWidth, wanted: box.clientWidth };
      if (cuts) return null;
    }
    return null;
  };
  const visible = (element) => element.getClientRects().length > 0;
  const clipped = [];
  for (const element of [...article.querySelectorAll("table, pre")].filter(visible)) {
    const cut = clipping(element);
    const right = element.getBoundingClientRect().right;
    if (cut) clipped.push({ element: name(element), ...cut });
    else if (right > innerWidth + 1) clipped.push({ element: name(element), found: round(right), wanted: innerWidth });
  }
  const equations = [];
  for (const number of [...article.querySelectorAll("div.math .eqno")].filter(visible)) {
    const block = number.closest("div.math");
    const math = block.querySelector("mjx-math").getBoundingClientRect();
    const box = number.getBoundingClientRect();
    const scroller = block.querySelector("mjx-container").getBoundingClientRect();
    const right = Math.min(math.right, scroller.right);
    const beside = box.top < math.bottom && box.bottom > math.top && box.left >= right - 1;
    if (!beside) {
      equations.push({
        element: `equation ${number.textContent.trim()} ${block.id}`,
        found: `number at ${round(box.left)}, ${round(box.top)}`,
        wanted: `right of ${round(right)}, between ${round(math.top)} and ${round(math.bottom)}`,
      });
    }
  }
  const text = article.cloneNode(true);
  const other = "table, pre, script, style, svg, mjx-container, .math, nav, .live, select, button";
  text.querySelectorAll(other).forEach((each) => each.remove());
  const words = () => text.textContent.split(/\s+/).filter((word) => /\p{L}|\d/u.test(word)).length;
  const all = words();
  text.querySelectorAll("details[data-folded], .admonition.dropdown").forEach((each) => each.remove());
  return {
    words: words(),
    folded: all - words(),
    tables: [...article.querySelectorAll("table")].filter(visible).length,
    clipped,
    equations,
    broken: [...article.querySelectorAll("mjx-merror")].map((each) => each.textContent.trim() || "a formula"),
    overflow: document.documentElement.scrollWidth,
  };
}

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
const context = await browser.newContext({ viewport: null, reducedMotion: "reduce" });
context.setDefaultTimeout(300_000); // a busy machine is slow, not at fault
for (const path of pages) {
  const page = await context.newPage();
  const errors = [];
  const files = new Set();
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("requestfailed", (request) => errors.push(`not loaded: ${request.url()}`));
  page.on("request", (request) => files.add(request.url()));
  for (const [number, { width, height, scheme }] of views.entries()) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme });
    if (number === 0) {
      await page.goto(new URL(path, book).href);
      await page.evaluate(async () => {
        document.querySelectorAll("details:not([open])").forEach((each) => {
          each.dataset.folded = ""; // as the reader meets it
          each.open = true;
        });
        await window.MathJax?.startup?.promise;
        await document.fonts.ready;
      });
      await page.evaluate(axe);
    }
    await page.waitForTimeout(400); // 300 ms after a resize the theme sees which parts scroll; colours fade, too
    const found = await page.evaluate(measure);
    found.axe = await page.evaluate(async () => {
      const { violations } = await window.axe.run({ resultTypes: ["violations"], preload: false, elementRef: true });
      const formula = ({ element }) => element.querySelector("mjx-math"); // read out, though axe takes it for empty
      return violations.flatMap(({ id, impact, help, nodes }) =>
        nodes
          .filter((node) => id !== "empty-table-header" || !formula(node))
          .map((node) => ({ rule: id, impact: node.impact ?? impact, help, element: node.target.join(" ") })),
      );
    });
    console.log(JSON.stringify({ page: path, width, scheme, errors, files: [...files], ...found }));
  }
  await page.close();
}
await browser.close();
