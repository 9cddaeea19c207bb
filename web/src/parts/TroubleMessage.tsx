import { trouble, type Trouble } from "../desk";
import { type Key, say } from "../language";

/** What went wrong: in the reader's language, then in the server's own words. */
export function TroubleMessage() {
  const told = trouble.value;
  return (
    <div role="alert" class="trouble-place">
      {told && (
        <div class="trouble">
          <p>{say(frame(told), { n: told.retryAfter ?? 1 })}</p>
          {told.status > 0 && told.detail && (
            <p class="detail" lang="en">
              {told.detail}
            </p>
          )}
          <p class="row">
            {told.retry && (
              <button class="plain" type="button" onClick={told.retry}>
                {say("retry")}
              </button>
            )}
            <button class="plain" type="button" onClick={() => (trouble.value = null)}>
              {say("dismiss")}
            </button>
          </p>
        </div>
      )}
    </div>
  );
}

function frame({ status }: Trouble): Key {
  if (status === -1) return "stopped";
  if (status === 0) return "gone";
  if (status === 413) return "tooLarge";
  if (status === 429 || status === 503) return "busy";
  if (status === 504) return "late";
  return status >= 500 ? "broken" : "cannot";
}
