// 页面上的全部中文。来自服务的名称和消息按原文显示。
export default {
  shell: {
    skip: "跳到正文",
    views: "视图",
    language: "语言",
    theme: "配色",
    theme_system: "跟随系统",
    theme_light: "浅色",
    theme_dark: "深色",
    token: "令牌",
    token_title: "本服务的令牌",
    token_why: "密钥或 Bearer 令牌。只保存在此标签页，只发给本服务。",
    token_wrong: "服务不接受该令牌。",
    token_use: "使用",
    token_forget: "清除",
    cancel: "取消",
    stream_connecting: "正在连接",
    stream_live: "实时",
    stream_waiting: "未连接，正在重试",
    stream_refused: "需要令牌",
    view_failed: "此视图无法显示。请刷新页面；若再次出现，请报告。",
    unreachable: "服务没有应答。",
    failed: "服务返回 {status}：{text}",
    loading: "加载中",
    table: "数据表",
  },

  now: {
    title: "现在",
  },

  explain: {
    title: "解释",
  },

  models: {
    title: "模型",
  },

  ingest: {
    title: "数据接入",
  },
};
