// Browsers start no worker in a page that was opened from a file, and the search of the site runs in one. Such a page
// gets this class in place of Worker. It runs the same script in a hidden frame.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      this.ready = new Promise(resolve => this.frame.addEventListener("ready", resolve))
      document.body.append(this.frame)
      const inside = this.frame.contentWindow
      addEventListener("message", ({ source, data }) => {
        if (source === inside) this.dispatchEvent(new MessageEvent("message", { data }))
      })
      inside.document.open()
      inside.document.write(
        "<script>postMessage = data => parent.postMessage(data, '*')<\/script>" +
        `<script src="${url}" onload="frameElement.dispatchEvent(new Event('ready'))"><\/script>`
      )
      inside.document.close()
    }

    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })))
    }

    terminate() {
      this.frame.remove()
    }
  }
}
