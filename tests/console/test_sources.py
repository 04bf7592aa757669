"""Sources: added step by step, tried until they light up, rotated with overlap, revoked, checked, turned off, deleted."""

import re

from playwright.sync_api import Page, expect

from tests.console.conftest import Opened, Shop, Watch
from tests.console.test_log import settled


def added(page: Page, platform: str, name: str) -> None:
    """Goes through the steps for a platform."""
    page.get_by_role("link", name="Add a source").click()
    page.get_by_role("searchbox").fill(platform)
    page.get_by_role("link", name=re.compile(platform)).first.click()
    expect(page.locator(".steps li").first).to_be_visible()
    page.get_by_label("Name").fill(name)


def test_a_source_is_added_and_lights_up(opened: Opened, shop: Shop) -> None:
    page = settled(opened("integrator", "sources"))
    added(page, "Standard Webhooks", "Our own shop")
    page.get_by_role("button", name="Make the source").click()
    dialog = page.get_by_role("dialog")
    secret = dialog.locator(".copied").inner_text()
    assert secret.startswith("whsec_")
    dialog.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Our own shop")
    expect(page.locator("main")).not_to_contain_text(secret)
    expect(page.locator(".copied", has_text="/webhooks/src_").first).to_be_visible()
    light = page.locator(".listen")
    expect(light).to_contain_text("Waiting")
    page.get_by_role("button", name="Send a test").click()
    expect(light).to_have_attribute("data-state", "good")
    expect(light).to_contain_text("A sample of ours arrived; the shop's settings are not proven by it")
    light.get_by_role("link").click()
    expect(settled(page).get_by_role("heading", level=1)).to_contain_text("order.")


def test_the_secret_is_rotated_with_overlap_and_the_old_one_revoked(opened: Opened, shop: Shop) -> None:
    page = settled(opened("admin", f"sources/{shop.scene.sources['woocommerce']}"))
    secrets = page.get_by_role("region", name="Secrets").locator("tbody tr")
    expect(secrets).to_have_count(1)
    page.get_by_role("button", name="Rotate the secret…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("The older ones count for").select_option("7d")
    dialog.get_by_label("New secret").fill("another-secret-altogether-000")
    dialog.get_by_role("button", name="Rotate", exact=True).click()
    expect(secrets).to_have_count(2)
    expect(secrets.last).to_contain_text("in force until")
    secrets.last.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(secrets.last).to_contain_text("revoked")
    expect(secrets.first).to_contain_text("in force")


def test_what_is_wrong_with_a_form_is_said_at_the_field(opened: Opened, shop: Shop, watch: Watch) -> None:
    watch.expected.append("/v1/sources")
    page = settled(opened("admin", "sources/new?adapter=bigcommerce"))
    page.get_by_label("Store Hash").fill("NOT a hash")
    page.get_by_label("Secret").fill("short")
    page.get_by_role("button", name="Make the source").click()
    expect(page.get_by_role("alert")).to_contain_text("store_hash")
    expect(page.get_by_label("Store Hash")).to_have_attribute("aria-invalid", "true")


def test_the_key_is_checked(opened: Opened, shop: Shop) -> None:
    page = settled(opened("integrator", f"sources/{shop.scene.sources['mercadopago']}"))
    page.get_by_role("button", name="Check the key").click()
    expect(page.locator(".notice.bad", has_text="does not take the key")).to_contain_text("there is no key yet")
    page.get_by_role("button", name="Give a key…").click()
    page.get_by_role("dialog").get_by_label("New key").fill("APP_USR-made-up-key")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_text("A key is set.")).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("APP_USR-made-up-key")


def test_a_source_is_edited_turned_off_and_deleted(opened: Opened, shop: Shop) -> None:
    page = settled(opened("admin", "sources"))
    added(page, "Stripe", "To go")
    page.get_by_role("button", name="Make the source").click()
    expect(page.locator(".notice.bad").first).to_contain_text("There is no secret")
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("dialog").get_by_label("Name").fill("To go away")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("To go away")
    page.get_by_role("button", name="Turn off…").click()
    page.get_by_role("dialog").get_by_role("button", name="Turn off…").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("off")
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("button", name="Turn off…")).to_be_visible()
    page.get_by_role("button", name="Delete the source").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Delete the source").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the source").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sources")
    expect(page.get_by_text("To go away")).to_have_count(0)


def test_a_sources_page_is_for_those_who_keep_them_and_others_read_its_name(opened: Opened, shop: Shop) -> None:
    page = settled(opened("ops", f"sources/{shop.scene.sources['shopify']}"))
    expect(page.get_by_role("heading", name="This is not for your role")).to_be_visible()
    page = settled(opened("ops", f"deliveries/{shop.scene.deliveries['updated']}"))
    expect(page.get_by_role("main").get_by_text("source was deleted")).to_have_count(0)
    expect(page.get_by_role("button", name="Retry")).to_be_enabled()
    expect(page.locator("a[href*='/sources/']")).to_have_count(0)


def test_a_remap_is_tried_before_it_is_done(opened: Opened, shop: Shop) -> None:
    page = settled(opened("integrator", f"sources/{shop.scene.sources['shopify']}"))
    page.get_by_role("button", name="Remap…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Try it").click()
    expect(dialog.get_by_role("heading", name="Nothing would change")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
