// What ipywidgets leaves out: the handle of a slider has no name, so a screen reader would say only its number.

/** Name every slider in the card after the label beside it. */
export function nameSliders(card) {
  if (!card) return;
  for (const slider of card.querySelectorAll(".widget-slider, .widget-hslider")) {
    const label = slider.querySelector(".widget-label")?.textContent;
    const handle = slider.querySelector("[role=slider]");
    if (label && handle && !handle.hasAttribute("aria-label")) handle.setAttribute("aria-label", label);
  }
}
