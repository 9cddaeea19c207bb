import { effect } from "@preact/signals";
import { redo, undo } from "../changing";
import { chosen, current, isWriting } from "../desk";
import { stop } from "../opening";
import { announced, language, say } from "../language";
import { DeskForm } from "./DeskForm";
import { Header } from "./Header";
import { Inside } from "./Inside";
import { Notes } from "./Notes";
import { Sheets } from "./Sheets";
import { Tools } from "./Tools";
import { TroubleMessage } from "./TroubleMessage";

effect(() => {
  document.documentElement.lang = language.value;
});

addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    if (isWriting.value) stop();
    else chosen.value = null;
  }
  const isTyping = event.target instanceof Element && event.target.matches("input, textarea");
  if (isTyping || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
  event.preventDefault();
  void (event.shiftKey ? redo() : undo());
});

export function Page() {
  const isDone = current.value?.isDone;
  return (
    <>
      <Header />
      <main>
        <DeskForm />
        <div class="middle">
          <TroubleMessage />
          <Sheets />
          {isDone && <Tools />}
        </div>
        <Notes />
        {isDone && <Inside />}
      </main>
      <footer>
        <span>{say("promise")}</span> <a href="/docs">{say("api")}</a>
      </footer>
      <Heard />
    </>
  );
}

/** What a screen reader tells, when a poem is done. */
function Heard() {
  return (
    <p class="heard" role="status">
      {announced.value}
    </p>
  );
}
