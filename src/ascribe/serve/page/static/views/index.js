// The table of views: each is {id, title(words), mount(root, context) -> unmount()}.
import { view as explain } from "./explain.js";
import { view as ingest } from "./ingest.js";
import { view as models } from "./models.js";
import { view as now } from "./now.js";

export const views = [now, explain, models, ingest];
