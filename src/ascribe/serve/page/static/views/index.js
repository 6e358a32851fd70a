// The table of views: each is {id, title(words), mount(root, context) -> unmount()}, and perhaps `here(offers)`: whether a
// server of this kind has it, `listed(cards)`: whether one of its models does.
import { view as explain } from "./explain.js";
import { view as federated } from "./federated.js";
import { view as forecast } from "./forecast.js";
import { view as ingest } from "./ingest.js";
import { view as models } from "./models.js";
import { view as now } from "./now.js";

export const views = [now, explain, forecast, federated, models, ingest];
