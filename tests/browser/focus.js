// Where the keyboard is, and whether a reader sees it there: null on no element; else
// [what, "" or what is wrong].
const at = document.activeElement;
if (!at || at === document.body) return null;
// A choice is drawn by its words' box.
const drawn = at.matches(".pick") ? at.labels[0] : at;
const style = getComputedStyle(drawn);

function light(color) {
  const parts = color.match(/[\d.]+/g).slice(0, 3).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
}

// The ring lies outside of what it rings.
let ground = drawn.parentElement;
const clear = "rgba(0, 0, 0, 0)";
while (ground.parentElement && getComputedStyle(ground).backgroundColor === clear) {
  ground = ground.parentElement;
}
const tones = [style.outlineColor, getComputedStyle(ground).backgroundColor].map(light);
const contrast = (Math.max(...tones) + 0.05) / (Math.min(...tones) + 0.05);
const box = drawn.getBoundingClientRect();
let wrong = "";
if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) wrong = "no ring";
else if (contrast < 3) wrong = `a ring of contrast ${contrast.toFixed(1)}`;
else if (box.bottom < 0 || box.top > innerHeight) wrong = "out of sight";
return [`${at.tagName} ${at.id} ${at.textContent.trim().slice(0, 20)}`, wrong];
