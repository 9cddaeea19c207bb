// Every word that the page says, in three languages.

import { computed, signal } from "@preact/signals";
import { kept } from "./kept";

export type Language = "zh-Hant" | "zh-Hans" | "en";
export const LANGUAGES: Language[] = ["zh-Hant", "zh-Hans", "en"];

/** key → traditional Chinese, simplified Chinese, English; {name} is filled in. */
const WORDS = {
  subtitle: [
    "全唐詩裏長大的循環網絡",
    "全唐诗里长大的循环网络",
    "a recurrent network, raised on the Tang poems",
  ],
  language: ["語言", "语言", "Language"],
  script: ["詩用字", "诗用字", "Characters"],
  traditional: ["繁體", "繁体", "Traditional"],
  simplified: ["簡體", "简体", "Simplified"],
  setting: ["排法", "排法", "Setting"],
  vertical: ["直排", "竖排", "Vertical"],
  horizontal: ["橫排", "横排", "Horizontal"],
  favourites: ["藏卷", "藏卷", "Kept poems"],
  favouritesNone: [
    "尚無所藏。遇見喜歡的詩，按「收藏」。",
    "尚无所藏。遇见喜欢的诗，按「收藏」。",
    "Nothing kept yet. Keep a poem you like.",
  ],
  favouritesWhere: [
    "只存在這個瀏覽器裏。",
    "只存在这个浏览器里。",
    "They stay in this browser only.",
  ],
  forget: ["移除", "移除", "Remove"],
  close: ["關閉", "关闭", "Close"],
  desk: ["書案", "书案", "What to do"],
  write: ["作詩", "作诗", "Write"],
  read: ["讀詩", "读诗", "Read"],
  prefix: ["起首", "起首", "Opening"],
  head: ["藏頭", "藏头", "Acrostic"],
  end: ["藏尾", "藏尾", "Line ends"],
  given: ["給定的字", "给定的字", "Characters you give"],
  givenAs: ["用在", "用在", "Use them as"],
  prefixHint: ["月、春江……也可不寫", "月、春江……也可不写", "月, 春江 … or nothing"],
  acrosticHint: ["每句一字，任意處用 _", "每句一字，任意处用 _", "One for each line, _ for any"],
  form: ["體裁", "体裁", "Form"],
  anyForm: ["隨意", "随意", "Free"],
  formLength: ["句數", "句数", "Lines"],
  rhyme: ["韻", "韵", "Rhyme"],
  autoRhyme: ["自擇", "自择", "any one"],
  noRhyme: ["不限", "不限", "none asked"],
  tones: ["平仄", "平仄", "Tones"],
  autoTones: ["依體裁", "依体裁", "as the form asks"],
  strict: ["嚴", "严", "strict"],
  loose: ["寬", "宽", "loose"],
  off: ["不論", "不论", "off"],
  title: ["題目", "题目", "Title"],
  style: ["擬某家", "拟某家", "In the style of"],
  dynasty: ["朝代", "朝代", "Dynasty"],
  unsaid: ["不說", "不说", "unsaid"],
  model: ["網絡", "网络", "Network"],
  daring: ["膽量", "胆量", "Daring"],
  steady: ["穩", "稳", "steady"],
  bold: ["險", "险", "bold"],
  count: ["幾首", "几首", "How many"],
  more: ["更多心願", "更多心愿", "More wishes"],
  others: ["隨網址而來的心願", "随网址而来的心愿", "Wishes that came with the address"],
  go: ["吟", "吟", "Write"],
  goLong: ["吟一首詩", "吟一首诗", "Write a poem"],
  stop: ["停", "停", "Stop"],
  writing: ["吟哦中", "吟哦中", "Writing"],
  queued: ["排隊第 {n} 位", "排队第 {n} 位", "Number {n} in the queue"],
  yourText: ["一首詩，句讀分行", "一首诗，句读分行", "A poem, its lines parted by marks"],
  goRead: ["讀", "读", "Read"],
  example: ["例：登鸛雀樓", "例：登鹳雀楼", "For example 登鸛雀樓"],
  poem: ["詩", "诗", "The poem"],
  characters: [
    "逐字：方向鍵移動，Enter 選定",
    "逐字：方向键移动，Enter 选定",
    "Its characters: arrow keys move, Enter chooses",
  ],
  poems: ["諸首", "诸首", "The poems"],
  nth: ["第 {n} 首：{text}", "第 {n} 首：{text}", "Poem {n}: {text}"],
  done: ["詩成：{text}", "诗成：{text}", "The poem: {text}"],
  copy: ["抄錄", "抄录", "Copy"],
  copyLink: ["抄錄連結", "抄录链接", "Copy link"],
  copied: ["已抄錄", "已抄录", "Copied"],
  saveSvg: ["存為 SVG", "存为 SVG", "Save SVG"],
  savePng: ["存為 PNG", "存为 PNG", "Save PNG"],
  keepPoem: ["收藏", "收藏", "Keep"],
  kept: ["已藏", "已藏", "Kept"],
  seed: ["種 {n}", "种 {n}", "seed {n}"],
  toneMarks: ["標平仄", "标平仄", "Tone marks"],
  touch: ["讀字", "读字", "Look"],
  change: ["改字", "改字", "Change"],
  tapMeans: ["點字時", "点字时", "A tap on a character"],
  changeHint: [
    "點選要重寫的字；其餘鎖定不動。",
    "点选要重写的字；其余锁定不动。",
    "Tap the characters to be written anew; the others are locked.",
  ],
  freeAll: ["全放開", "全放开", "Free all"],
  lockAll: ["全鎖定", "全锁定", "Lock all"],
  redraw: ["重寫 {n} 字", "重写 {n} 字", "Redraw {n}"],
  undo: ["撤銷", "撤销", "Undo"],
  redo: ["重做", "重做", "Redo"],
  locked: ["鎖定", "锁定", "locked"],
  freed: ["放開", "放开", "freed"],
  notes: ["眉批", "眉批", "Notes"],
  notesHint: [
    "指一個字，看它的聲、韻與機率。",
    "指一个字，看它的声、韵与几率。",
    "Point at a character for its tone, its rhyme and its chance.",
  ],
  pattern: ["格律", "格律", "Pattern"],
  clean: ["合律", "合律", "No fault"],
  faults: ["按語", "按语", "Remarks"],
  fault: ["病", "病", "fault"],
  minor: ["小疵", "小疵", "minor"],
  note: ["可", "可", "allowed"],
  place: [
    "第 {line} 句第 {position} 字「{character}」：",
    "第 {line} 句第 {position} 字「{character}」：",
    "line {line}, {position} {character}: ",
  ],
  perplexity: ["困惑度", "困惑度", "Perplexity"],
  perCharacter: ["每字 {n} nats", "每字 {n} nats", "{n} nats a character"],
  known: ["與唐詩同", "与唐诗同", "Stands in a Tang poem"],
  tone: ["聲", "声", "Tone"],
  group: ["韻部", "韵部", "Rhyme group"],
  demand: ["格律所求", "格律所求", "The pattern asks"],
  demandLevel: ["平", "平", "level 平"],
  demandOblique: ["仄", "仄", "oblique 仄"],
  demandEither: ["可平可仄", "可平可仄", "either"],
  rhymeWord: ["韻腳", "韵脚", "rhyme word"],
  level: ["平聲", "平声", "level 平"],
  rising: ["上聲", "上声", "rising 上"],
  departing: ["去聲", "去声", "departing 去"],
  entering: ["入聲", "入声", "entering 入"],
  toneUnknown: ["未詳", "未详", "unknown"],
  chance: ["網絡給的機率", "网络给的几率", "Chance, says the network"],
  rank: ["{size} 字中第 {n}", "{size} 字中第 {n}", "{n} of {size}"],
  surpriseOf: ["意外 {n} nats", "意外 {n} nats", "surprise {n} nats"],
  alternatives: ["五個別的字", "五个别的字", "Five it might have been"],
  pick: ["換成{character}，{chance}", "换成{character}，{chance}", "Take {character}, {chance}"],
  breaks: ["出律", "出律", "breaks the pattern"],
  noModel: ["網絡讀不了這首詩：", "网络读不了这首诗：", "The network cannot read this poem: "],
  inside: ["觀其心", "观其心", "See inside"],
  insideWhat: [
    "詩逐字讀入，長短期記憶每步開合的門與細胞。",
    "诗逐字读入，长短期记忆每步开合的门与细胞。",
    "The poem is read character by character: how much each surprises, and what the gates and cells of the LSTM do at each step.",
  ],
  surprise: [
    "每字的意外（−log p，nats）",
    "每字的意外（−log p，nats）",
    "Surprise of each character (−log p, nats)",
  ],
  surpriseTold: [
    "平均 {mean}；最意外 {most}（{high}），最意料中 {least}（{low}）。",
    "平均 {mean}；最意外 {most}（{high}），最意料中 {least}（{low}）。",
    "Mean {mean}; the most surprising is {most} ({high}), the least {least} ({low}).",
  ],
  heat: ["變動最大的 {n} 個單元", "变动最大的 {n} 个单元", "The {n} units that vary most"],
  cell: ["細胞 tanh c", "细胞 tanh c", "Cell tanh c"],
  input: ["輸入門 i", "输入门 i", "Input gate i"],
  forgetGate: ["遺忘門 f", "遗忘门 f", "Forget gate f"],
  output: ["輸出門 o", "输出门 o", "Output gate o"],
  shown: ["所示", "所示", "Shown"],
  unitAt: [
    "「{character}」處，單元 {unit}：{value}",
    "「{character}」处，单元 {unit}：{value}",
    "At {character}, unit {unit}: {value}",
  ],
  heatTold: [
    "橫為詩中各字，縱為單元；{high} 處均值最高（{max}），{low} 處最低（{min}）。",
    "横为诗中各字，纵为单元；{high} 处均值最高（{max}），{low} 处最低（{min}）。",
    "Across, the characters of the poem; down, the units. On average highest at {high} ({max}), lowest at {low} ({min}).",
  ],
  asTable: ["以表格看", "以表格看", "As a table"],
  meanOf: ["{what}，各單元平均", "{what}，各单元平均", "{what}, mean of all units"],
  character: ["字", "字", "Character"],
  retry: ["再試", "再试", "Try again"],
  dismiss: ["知道了", "知道了", "Dismiss"],
  cannot: ["這個心願難以成全。", "这个心愿难以成全。", "This wish cannot be met."],
  tooLarge: ["這個心願太長。", "这个心愿太长。", "This wish is too large."],
  busy: [
    "吟者正忙，{n} 秒後再試。",
    "吟者正忙，{n} 秒后再试。",
    "The poet is busy; try again in {n} seconds.",
  ],
  late: ["想得太久，時限已過。", "想得太久，时限已过。", "It took too long."],
  broken: ["服務器出錯了。", "服务器出错了。", "The server failed."],
  gone: [
    "與服務器的連線斷了。詩還可以再來。",
    "与服务器的连接断了。诗还可以再来。",
    "The connection to the server was lost. The poem can be written again.",
  ],
  stopped: ["停筆。", "停笔。", "Stopped."],
  promise: [
    "無帳號，無追蹤；一切皆由本站供給。",
    "无账号，无追踪；一切皆由本站供给。",
    "No accounts, no tracking; everything is served from here.",
  ],
  api: ["API", "API", "API"],
} as const;

export type Key = keyof typeof WORDS;

/** What the reader chose, else what the browser asks for. */
export const language = kept<Language>("language", preferred());

export function preferred(asked: readonly string[] = navigator.languages): Language {
  for (const tag of asked) {
    if (/^zh\b/i.test(tag)) return /hant|tw|hk|mo/i.test(tag) ? "zh-Hant" : "zh-Hans";
    if (/^en\b/i.test(tag)) return "en";
  }
  return "en";
}

const column = computed(() => LANGUAGES.indexOf(language.value));

export function say(key: Key, filled: Record<string, string | number> = {}): string {
  return WORDS[key][column.value]!.replace(/\{(\w+)\}/g, (_, name) => String(filled[name] ?? ""));
}

/** A probability as a reader says it. */
export function percent(probability: number): string {
  const digits = probability >= 0.1 ? 0 : probability >= 0.01 ? 1 : 2;
  return probability < 0.0001 ? "< 0.01 %" : `${(100 * probability).toFixed(digits)} %`;
}

/** What the reader hears, once, when something is done. */
export const announced = signal("");
