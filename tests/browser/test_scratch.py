import sys, pathlib; sys.path.insert(0, str(pathlib.Path(__file__).parent))
from test_labextension_streams import *
def test_scratch(open_notebook, artifacts):
    lab = open_notebook([SETUP, POEM, LONG])
    lab.run(0)
    lab.run(1)
    scroll_to(lab, 2)
    lab.wait_until("() => document.querySelector('.jp-WindowedPanel-outer').scrollTop > 500")
    look = """() => {
      const panel = window.jupyterapp.shell.currentWidget;
      const cell = panel.content.widgets[1];
      const r = (n) => n && JSON.parse(JSON.stringify(n.getBoundingClientRect()));
      return [document.hidden, panel.isVisible, r(panel.content.node), r(cell.node), r(cell.outputArea.node), cell.outputArea.node.offsetHeight, cell.node.isConnected, document.querySelector('.jp-WindowedPanel-outer').scrollTop];
    }"""
    lab.page.evaluate("""() => { window.kkBeats=[]; window.jupyterapp.shell.currentWidget.context.sessionContext.iopubMessage.connect((_, m) => { if (m.header.msg_type==='kkjupyter_running') window.kkBeats.push(m.content) }) }""")
    print(lab.page.evaluate(look))
    lab.let_go()
    for _ in range(4):
        lab.pause(1)
        print(toasts(lab).count(), lab.page.evaluate(look))
    print(lab.page.evaluate("() => window.kkBeats"))
    lab.screenshot(artifacts / "scratch.png")
    scroll_to(lab, 0); lab.pause(1)
    lab.screenshot(artifacts / "scratch2.png")
    print(lab.outputs(1))
    print(lab.server.log()[-3000:])
