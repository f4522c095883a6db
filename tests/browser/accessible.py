"""What a screen reader, a keyboard or weak eyes need of a page, computed in the browser."""

from __future__ import annotations

from tests.browser.chromium import Browser

# Contrast as in WCAG 2.2 §1.4.3 and §1.4.11: of each text with what is behind it, and of each
# field's edge with its surroundings.
_FAULTS = r"""
const faults = [];
const parse = (text) => {
  const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
  return {r, g, b, a};
};
const luminance = ({r, g, b}) => {
  const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92
    : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const contrast = (one, other) => {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};
const behind = (element) => {
  for (; element; element = element.parentElement) {
    const colour = parse(getComputedStyle(element).backgroundColor);
    if (colour.a === 1) return colour;
  }
  return {r: 255, g: 255, b: 255};
};
const name = (element) => element.outerHTML.slice(0, 60);
const label = (element) => (element.getAttribute("aria-label") || element.labels?.[0]?.textContent
  || element.textContent || "").trim();

if (!document.documentElement.lang) faults.push("the page has no language");
if (document.querySelectorAll("h1").length !== 1) faults.push("there is not one h1");
if (document.querySelectorAll("main").length !== 1) faults.push("there is not one main");
let level = 0;
for (const heading of document.querySelectorAll("h1, h2, h3")) {
  const next = Number(heading.tagName[1]);
  if (next > level + 1) faults.push("a heading is skipped before " + name(heading));
  level = next;
}
const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
if (new Set(ids).size !== ids.length) faults.push("an id is there twice");
for (const element of document.querySelectorAll("[aria-describedby], [aria-labelledby]"))
  for (const id of ((element.getAttribute("aria-describedby") || "") + " "
      + (element.getAttribute("aria-labelledby") || "")).trim().split(/ +/))
    if (!document.getElementById(id)) faults.push("nothing has the id " + id);
for (const element of document.querySelectorAll("input:not([type=hidden]), button, a")) {
  if (!label(element)) faults.push("nothing tells what this is: " + name(element));
  const box = element.getBoundingClientRect();
  // WCAG 2.2 §2.5.8; a link within a sentence may be smaller.
  if (element.tagName !== "A" && box.height < 24) faults.push("too small: " + name(element));
  element.focus();
  const outline = getComputedStyle(element);
  if (outline.outlineStyle === "none") faults.push("focus does not show: " + name(element));
}
document.activeElement?.blur();
for (const input of document.querySelectorAll("input:not([type=hidden])")) {
  if (!input.autocomplete) faults.push("no autocomplete: " + name(input));
  const edge = contrast(parse(getComputedStyle(input).borderTopColor), behind(input.parentElement));
  if (edge < 3) faults.push("the edge of " + name(input) + " has a contrast of " + edge.toFixed(2));
}
for (const svg of document.querySelectorAll("svg"))
  if (svg.getAttribute("aria-hidden") !== "true") faults.push("an image without a text");
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let text = walker.nextNode(); text; text = walker.nextNode()) {
  const element = text.parentElement;
  if (!text.data.trim() || element.closest("style")) continue;
  const found = contrast(parse(getComputedStyle(element).color), behind(element));
  if (found < 4.5) faults.push(text.data.trim() + " has a contrast of " + found.toFixed(2));
}
return faults;
"""


def faults(browser: Browser) -> list[str]:
    return [str(fault) for fault in browser.run(_FAULTS)]
