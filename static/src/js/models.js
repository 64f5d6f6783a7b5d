// The form of a model: tiers and prices come and go.

document.addEventListener("click", (event) => {
  const at = event.target instanceof Element ? event.target : null;
  const form = at?.closest("[data-model-form]");
  if (!form) return;
  if (at.closest("[data-add-price]")) addPrice(at.closest("[data-tier]"));
  else if (at.closest("[data-remove-price]")) at.closest("[data-price-row]").remove();
  else if (at.closest("[data-remove-tier]")) at.closest("[data-tier]").remove();
  else if (at.closest("[data-add-tier]")) addTier(form);
});

function addPrice(tier) {
  const row = tier.querySelector("[data-price-template]").content.cloneNode(true);
  const first = row.querySelector("textarea");
  tier.querySelector("[data-prices]").append(row);
  first.focus();
}

/** A tier more, after the last; its number is one that no other has. */
function addTier(form) {
  const numbers = [...form.querySelectorAll("input[name=tier]")].map((input) => Number(input.value));
  const number = Math.max(0, ...numbers) + 1;
  const template = document.querySelector("[data-tier-template]");
  const holder = document.createElement("template");
  holder.innerHTML = template.innerHTML.replaceAll("__n__", String(number)); // the server's own markup
  const tier = holder.content.firstElementChild;
  form.querySelector("[data-tiers]").append(tier);
  tier.querySelector("input:not([type=hidden])").focus();
}
