// Looks at a page as it is laid out just now; returns what is wrong with it, as sentences.
const [width] = given;
const found = [];
const ROUNDING = 1;
const LEAST_TARGET = 48;
const LEAST_TYPE = 16;

function name(element) {
  const id = element.id ? "#" + element.id : "";
  const classes = [...element.classList].map((one) => "." + one).join("");
  const text = element.textContent.trim().replace(/\s+/g, " ").slice(0, 30);
  return `<${element.tagName.toLowerCase()}${id}${classes}> “${text}”`;
}

// Read aloud only: cut down to nothing on purpose, as a whole.
function unseen(element) {
  for (let up = element; up; up = up.parentElement) {
    if (getComputedStyle(up).clip === "rect(0px, 0px, 0px, 0px)") return true;
  }
  return !element.checkVisibility({ visibilityProperty: true });
}

// Sideways

const page = document.documentElement;
const widest = Math.max(page.scrollWidth, document.body.scrollWidth);
if (widest > width) {
  found.push(`scrolls sideways: ${widest} px wide`);
  for (const element of document.body.querySelectorAll("*")) {
    if (!unseen(element) && element.getBoundingClientRect().right > width + ROUNDING) {
      found.push(`reaches beyond the right edge: ${name(element)}`);
    }
  }
}

// Text: its size, whether it is cut, whether it lies on other text

const lines = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let text = walker.nextNode(); text; text = walker.nextNode()) {
  const element = text.parentElement;
  if (!text.data.trim() || unseen(element)) continue;
  const style = getComputedStyle(element);
  if (parseFloat(style.fontSize) < LEAST_TYPE) {
    found.push(`type of ${style.fontSize}: ${name(element)}`);
  }
  const range = document.createRange();
  range.selectNodeContents(text);
  for (const rect of range.getClientRects()) {
    if (rect.width < 1 || rect.height < 1) continue;
    // The letters' own height: a line's box has room above and below them.
    const spare = rect.height * 0.2;
    const line = {
      element,
      left: rect.left + ROUNDING,
      right: rect.right - ROUNDING,
      top: rect.top + spare,
      bottom: rect.bottom - spare,
    };
    lines.push(line);
    if (line.left < 0 || line.right > width) found.push(`text beyond the edge: ${name(element)}`);
    for (let up = element; up !== document.body; up = up.parentElement) {
      if (getComputedStyle(up).display.startsWith("inline") && !up.matches(".button")) continue;
      if (up instanceof SVGElement && !(up instanceof SVGSVGElement)) continue;
      const box = up.getBoundingClientRect();
      if (line.left < box.left - ROUNDING || line.right > box.right + ROUNDING ||
          line.top < box.top - ROUNDING || line.bottom > box.bottom + ROUNDING) {
        found.push(`text out of its box: ${name(element)} in ${name(up)}`);
      }
    }
  }
}
for (let one = 0; one < lines.length; one += 1) {
  for (let other = one + 1; other < lines.length; other += 1) {
    const [a, b] = [lines[one], lines[other]];
    if (a.element !== b.element && a.left < b.right && b.left < a.right &&
        a.top < b.bottom && b.top < a.bottom) {
      found.push(`text on text: ${name(a.element)} and ${name(b.element)}`);
    }
  }
}

// Boxes that hide what does not fit

for (const element of document.body.querySelectorAll("*")) {
  const style = getComputedStyle(element);
  if (style.overflowX === "visible" || unseen(element) || element instanceof SVGElement) continue;
  if (element.scrollWidth > element.clientWidth + ROUNDING) {
    found.push(`hides ${element.scrollWidth - element.clientWidth} px: ${name(element)}`);
  }
}

// What a finger must hit

const targets = [];
const selector = "a, button, summary, textarea, select, input:not([type=hidden])";
for (const element of document.querySelectorAll(selector)) {
  if (unseen(element)) continue;
  let { left, right, top, bottom } = element.getBoundingClientRect();
  for (const label of element.labels || []) {
    // A choice is touched at its words, too; a field's heading is not its size.
    if (element.tagName !== "INPUT") continue;
    const box = label.getBoundingClientRect();
    [left, right] = [Math.min(left, box.left), Math.max(right, box.right)];
    [top, bottom] = [Math.min(top, box.top), Math.max(bottom, box.bottom)];
  }
  const [wide, high] = [right - left, bottom - top];
  if (wide < LEAST_TARGET || high < LEAST_TARGET) {
    found.push(`only ${wide.toFixed(1)} × ${high.toFixed(1)} px to touch: ${name(element)}`);
  }
  for (const other of targets) {
    if (left < other.right - ROUNDING && other.left < right - ROUNDING &&
        top < other.bottom - ROUNDING && other.top < bottom - ROUNDING) {
      found.push(`touched together: ${name(element)} and ${name(other.element)}`);
    }
  }
  targets.push({ element, left, right, top, bottom });
}

return [...new Set(found)];
