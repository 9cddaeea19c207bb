import { setScript } from "../changing";
import { script } from "../desk";
import { setting } from "../kept";
import { type Language, LANGUAGES, language, say } from "../language";
import { Choice } from "./Choice";
import { Favourites } from "./Favourites";

const NAMES: Record<Language, string> = { "zh-Hant": "繁", "zh-Hans": "简", en: "En" };
const TITLES: Record<Language, string> = {
  "zh-Hant": "正體中文",
  "zh-Hans": "简体中文",
  en: "English",
};

export function Header() {
  return (
    <header>
      <h1>
        <span class="seal" lang="zh-Hant" aria-hidden="true">
          <b>吟</b>
          <b>詩</b>
        </span>
        <span class="heard" lang="zh-Hant">
          吟詩
        </span>
        <span class="subtitle">{say("subtitle")}</span>
      </h1>
      <div class="choices">
        <Choice
          label={say("setting")}
          value={setting.value}
          options={[
            ["vertical", say("vertical")],
            ["horizontal", say("horizontal")],
          ]}
          onChange={(value) => (setting.value = value)}
        />
        <Choice
          label={say("script")}
          value={script.value}
          options={[
            ["traditional", say("traditional")],
            ["simplified", say("simplified")],
          ]}
          onChange={(value) => void setScript(value)}
        />
        <Choice
          label={say("language")}
          value={language.value}
          options={LANGUAGES.map((each) => [each, NAMES[each], TITLES[each]])}
          onChange={(value) => (language.value = value)}
        />
        <Favourites />
      </div>
    </header>
  );
}
