// The table of views. Each module has mount(root, context) -> unmount(), and is loaded when the view is first shown.
// `here(offers)`: whether a server of this kind has the view; `listed(cards)`: whether one of its models does.
const host = ({ guest }) => !guest;

export const views = [
  { id: "now", here: host, load: () => import("./now.js") },
  { id: "explain", here: host, load: () => import("./explain.js") },
  { id: "forecast", here: host, listed: (cards) => cards.some((card) => card.forecast), load: () => import("./forecast.js") },
  { id: "federated", here: ({ guest }) => guest, load: () => import("./federated.js") },
  { id: "models", here: host, load: () => import("./models.js") },
  { id: "ingest", here: host, load: () => import("./ingest.js") },
];
