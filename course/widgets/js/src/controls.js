// What ipywidgets leaves out: names for the handle of a slider and for the buttons that play, which have none, and
// that a step's name is read out when it changes.

const PLAY = ["play or pause", "stop and start over"];

export function nameControls(card) {
  if (!card) return;
  for (const slider of card.querySelectorAll(".widget-slider, .widget-hslider")) {
    nameOnce(slider.querySelector("[role=slider]"), slider.querySelector(".widget-label")?.textContent);
  }
  for (const player of card.querySelectorAll(".widget-play")) {
    player.querySelectorAll("button").forEach((button, i) => nameOnce(button, PLAY[i]));
  }
  card.querySelectorAll(".cw-step-name").forEach((place) => place.setAttribute("role", "status"));
}

function nameOnce(control, name) {
  if (!control || !name || control.hasAttribute("aria-label")) return;
  control.setAttribute("aria-label", name);
  if (control.matches("button")) control.title = name;
}
