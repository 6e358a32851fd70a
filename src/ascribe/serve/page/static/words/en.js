// Every text of the page in English. Names and messages that come from the service stand as the service says them.
export default {
  shell: {
    skip: "Skip to the content",
    views: "Views",
    language: "Language",
    theme: "Colours",
    theme_system: "System",
    theme_light: "Light",
    theme_dark: "Dark",
    token: "Token",
    token_title: "Token for this service",
    token_why: "A key or a bearer token. It stays in this tab and goes to this service alone.",
    token_wrong: "The service does not take that token.",
    token_use: "Use",
    token_forget: "Forget",
    cancel: "Cancel",
    stream_connecting: "Connecting",
    stream_live: "Live",
    stream_waiting: "Not connected: trying again",
    stream_refused: "A token is needed",
    view_failed: "This view cannot be shown. Reload the page; if it happens again, please report it.",
    unreachable: "The service does not answer.",
    failed: "The service says {status}: {text}",
    loading: "Loading",
    table: "Numbers as a table",
  },

  now: {
    title: "Now",
  },

  explain: {
    title: "Explain",
  },

  models: {
    title: "Models",
  },

  ingest: {
    title: "Ingest",
  },
};
