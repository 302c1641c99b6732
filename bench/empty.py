"""The least that a web page can cost here: a FastAPI application with an empty route."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def nothing() -> dict[str, str]:
    return {}
