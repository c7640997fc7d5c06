// The search runs in a worker. Browsers refuse workers to pages that are opened from a disk, so there the same script
// runs in a hidden frame, which is told and asked in the same way.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(script) {
      const source = new URL(script, location.href).href.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.worker = this;
      this.frame.srcdoc =
        "<script>postMessage = (data) => frameElement.worker.onmessage?.({ data });</script>" +
        `<script src="${source}"></script>`;
      this.ready = new Promise((done) => {
        this.frame.addEventListener("load", done);
      });
      document.body.append(this.frame);
    }

    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      this.frame.remove();
    }
  };
}
