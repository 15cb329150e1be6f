def page(found, earlier):
    return ""
