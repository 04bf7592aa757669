"""The only modules with SQL about a noun, one module per noun. They import app.db, app.base and the contract."""
