import { useRef } from "preact/hooks";
import { openFavourite } from "../changing";
import { type Favourite, favourites, toggleFavourite } from "../kept";
import { say } from "../language";

export function Favourites() {
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <>
      <button class="plain" type="button" onClick={() => dialog.current!.showModal()}>
        {say("favourites")}
        {favourites.value.length > 0 && <span class="tally">{favourites.value.length}</span>}
      </button>
      <dialog ref={dialog} aria-label={say("favourites")}>
        <div class="row spread">
          <h2>{say("favourites")}</h2>
          <button class="plain" type="button" onClick={() => dialog.current!.close()}>
            {say("close")}
          </button>
        </div>
        <p class="faint">{say(favourites.value.length ? "favouritesWhere" : "favouritesNone")}</p>
        <ul class="favourites">
          {favourites.value.map((each) => (
            <Entry key={each.address} favourite={each} close={() => dialog.current!.close()} />
          ))}
        </ul>
      </dialog>
    </>
  );
}

function Entry({ favourite, close }: { favourite: Favourite; close: () => void }) {
  const open = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // in a tab of its own
    event.preventDefault();
    close();
    void openFavourite(favourite.address);
  };
  return (
    <li>
      <a class="poetry" href={favourite.address} onClick={open} lang="zh">
        {favourite.text}
      </a>
      <button class="plain" type="button" onClick={() => toggleFavourite(favourite)}>
        {say("forget")}
      </button>
    </li>
  );
}
