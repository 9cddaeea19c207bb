import { render } from "preact";
import { begin } from "./changing";
import { Page } from "./parts/Page";

render(<Page />, document.body);
void begin();
