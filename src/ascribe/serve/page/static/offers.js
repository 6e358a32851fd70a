// What this server has beside its models. A server writes this file anew when it starts (serve/page/files.py).
export const offers = Object.freeze({"lake": true, "guest": false});
