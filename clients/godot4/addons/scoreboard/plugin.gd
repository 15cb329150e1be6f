@tool
extends EditorPlugin
# There is nothing to do in the editor: scenes use scoreboard.gd.
