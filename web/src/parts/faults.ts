import type { Fault } from "../api";
import { language } from "../language";

/** What the names of the faults mean, in traditional and simplified characters. */
const MEANINGS: Record<string, [string, string]> = {
  失律: ["此處聲調與譜不合", "此处声调与谱不合"],
  半拗: ["倒數第三字當平而仄，可不救", "倒数第三字当平而仄，可不救"],
  大拗: ["倒數第二字當平而仄，須對句救", "倒数第二字当平而仄，须对句救"],
  拗救: ["拗而已救", "拗而已救"],
  拗: ["此拗要首字為平", "此拗要首字为平"],
  三平尾: ["句末三字皆平", "句末三字皆平"],
  三仄尾: ["句末三字皆仄", "句末三字皆仄"],
  孤平: ["韻腳之外只有一個平聲", "韵脚之外只有一个平声"],
  失對: ["一聯兩句的第二字平仄當相對", "一联两句的第二字平仄当相对"],
  失粘: ["第二字平仄當與上句相同，兩聯方能相粘", "第二字平仄当与上句相同，两联方能相粘"],
  重韻: ["這個韻字用了兩次", "这个韵字用了两次"],
  出韻: ["不在全詩的韻部", "不在全诗的韵部"],
  鄰韻: ["首句借用鄰韻", "首句借用邻韵"],
  仄韻: ["韻腳多為仄聲", "韵脚多为仄声"],
};

/** Why it is one, in the reader's language. */
export function faultWords({ name, reason }: Fault): string {
  const meant = MEANINGS[name];
  if (language.value === "en" || !meant) return reason;
  return meant[language.value === "zh-Hant" ? 0 : 1];
}
